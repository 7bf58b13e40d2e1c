// The reference pages of the record, made of its schema.

import { z } from 'zod';
import { RECORD_SCHEMA_ID, recordSchema } from './schema.ts';

/** A generated page: its path in the repository, and its text. */
export interface Page {
  readonly path: string;
  readonly text: string;
}

/** The part of JSON Schema that zod makes of ours. */
interface Field {
  readonly type?: string;
  readonly const?: string;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly format?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Field>>;
  readonly required?: readonly string[];
  readonly items?: Field;
}

/** As in biome.json. */
const LINE_WIDTH = 100;

const INTRODUCTION = `# The record of a backup

<!-- Generated from src/record/schema.ts by \`npm run generate\`. -->

\`backup_<stamp>.json\` lies beside the snapshot and the static resources of the same stamp and has
mode 0600. It is written last: files of a stamp without a record are no backup. The JSON schema is
\`docs/record.schema.json\`.

- It holds names, paths, sizes and digests; it never holds a key, a password or a token.
- A reader ignores fields that it does not know. \`schema\` changes when that would be wrong.
- Revisions, raft terms and raft indexes are decimal strings: they use 64 bits, and most readers of JSON
  keep 53. Ids of clusters and members are lower-case hex without leading zeros, as etcd prints them.
- Times are RFC 3339; the stamp is local time, as in the names that OpenShift's script gives.
- A verdict is added, none is taken away. Neither file of the pair is ever changed for one.

| field | type | what it is |
|---|---|---|
`;

/** Both pages; a test holds them against what is in docs/. */
export function recordPages(): readonly Page[] {
  const schema = z.toJSONSchema(recordSchema, { io: 'input' });
  const titled = { ...schema, $id: RECORD_SCHEMA_ID, title: 'The record of an etcdkeep backup' };
  return [
    { path: 'docs/record.schema.json', text: formatJson(titled) },
    { path: 'docs/record.md', text: INTRODUCTION + rowsOf(schema as Field, '').join('') },
  ];
}

/** As the formatter of the repository wants it: a list of names on one line where it fits. */
function formatJson(value: unknown): string {
  const list = /^( *"\w+": \[)\n([^\]{]*)\n *(\],?)$/gm;
  return `${JSON.stringify(value, null, 2)}\n`.replace(
    list,
    (lines, start: string, names: string, end: string) => {
      const line = start + names.trim().replace(/\n */g, ' ') + end;
      return line.length <= LINE_WIDTH ? line : lines;
    },
  );
}

function rowsOf(parent: Field, prefix: string): readonly string[] {
  return Object.entries(parent.properties ?? {}).flatMap(([name, field]) => {
    const list = field.type === 'array';
    const path = `${prefix}${name}${list ? '[]' : ''}`;
    const optional = parent.required?.includes(name) === true ? '' : ', optional';
    const row = `| \`${path}\` | ${typeOf(field)}${optional} | ${field.description ?? ''} |\n`;
    return [row, ...rowsOf(list ? field.items! : field, `${path}.`)];
  });
}

function typeOf(field: Field): string {
  if (field.const !== undefined) return `\`${field.const}\``;
  if (field.enum !== undefined) return field.enum.map((value) => `\`${value}\``).join(' or ');
  if (field.format === 'date-time') return 'time';
  if (field.type === 'array') return `list of ${typeOf(field.items!)}`;
  return field.type!;
}
