// What strip(1) does to a program, for the one of whatever machine: what only debuggers and linkers read goes. Offsets
// and names are those of elf(5), of a 64-bit little-endian file.

const MAGIC = Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
const SECTION_HEADER_SIZE = 64;
const SHT_NOBITS = 8;
const SHF_ALLOC = 2n;

interface Section {
  readonly header: Buffer;
  readonly isLoaded: boolean;
  readonly offset: number;
  /** Bytes in the file. */
  readonly size: number;
}

/**
 * A program without the sections that are never loaded: symbols and debug information.
 * @param program the whole file; the linker has put those sections behind all others
 * @returns a new file
 */
export function stripProgram(program: Buffer): Buffer {
  if (!program.subarray(0, MAGIC.length).equals(MAGIC)) throw new Error('no 64-bit ELF file');
  const sections = sectionsOf(program);
  const names = sections[program.readUInt16LE(0x3e)]!;
  const loaded = sections.findLastIndex(({ isLoaded }) => isLoaded) + 1;
  // What stays keeps its number, by which other sections refer to it.
  const kept = sections.slice(0, loaded);
  if (kept.slice(1).some(({ isLoaded }) => !isLoaded)) {
    throw new Error('a section that is not loaded lies between those that are');
  }
  const end = aligned(Math.max(...kept.map(({ offset, size }) => offset + size)));
  const tableOffset = aligned(end + names.size);
  const stripped = Buffer.alloc(tableOffset + (loaded + 1) * SECTION_HEADER_SIZE);
  program.copy(stripped, 0, 0, end);
  program.copy(stripped, end, names.offset, names.offset + names.size);
  for (const [index, { header }] of [...kept, names].entries()) {
    header.copy(stripped, tableOffset + index * SECTION_HEADER_SIZE);
  }
  stripped.writeBigUInt64LE(BigInt(end), tableOffset + loaded * SECTION_HEADER_SIZE + 0x18);
  stripped.writeBigUInt64LE(BigInt(tableOffset), 0x28);
  stripped.writeUInt16LE(loaded + 1, 0x3c);
  stripped.writeUInt16LE(loaded, 0x3e);
  return stripped;
}

function sectionsOf(program: Buffer): Section[] {
  const table = Number(program.readBigUInt64LE(0x28));
  return Array.from({ length: program.readUInt16LE(0x3c) }, (_, index) => {
    const start = table + index * SECTION_HEADER_SIZE;
    const header = program.subarray(start, start + SECTION_HEADER_SIZE);
    return {
      header,
      isLoaded: (header.readBigUInt64LE(0x08) & SHF_ALLOC) !== 0n,
      offset: Number(header.readBigUInt64LE(0x18)),
      size: header.readUInt32LE(0x04) === SHT_NOBITS ? 0 : Number(header.readBigUInt64LE(0x20)),
    };
  });
}

function aligned(offset: number): number {
  return Math.ceil(offset / 8) * 8;
}
