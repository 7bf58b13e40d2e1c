;; CRC-32C (Castagnoli) of bytes in an imported memory, sixteen at a time ("slicing by 16").
;; The memory starts with sixteen tables of 256 words: table k holds, for each byte, the CRC of
;; that byte followed by k zero bytes. src/base/crc32c.ts fills them in; scripts/crc32c.ts
;; compiles this file into src/base/crc32c.wasm.ts.
;;
;; A lookup wants (byte * 4) as its address, so bytes are cut out of a word at bits 2 to 9, hence
;; the mask 1020. The four lookups that wait for the last round's checksum are joined last.
(module
  (import "base" "memory" (memory 1))
  (func (export "update") (param $crc i32) (param $at i32) (param $length i32) (result i32)
    (local $end i32)
    (local $first i32) (local $second i32) (local $third i32) (local $fourth i32)
    (local.set $end (i32.add (local.get $at) (local.get $length)))
    (local.set $crc (i32.xor (local.get $crc) (i32.const -1)))

    (block $short
      (loop $sixteen
        (br_if $short (i32.lt_u (i32.sub (local.get $end) (local.get $at)) (i32.const 16)))
        (local.set $first
          (i32.xor (i32.load align=1 (local.get $at)) (local.get $crc)))
        (local.set $second (i32.load offset=4 align=1 (local.get $at)))
        (local.set $third (i32.load offset=8 align=1 (local.get $at)))
        (local.set $fourth (i32.load offset=12 align=1 (local.get $at)))
        (local.set $crc
          (i32.xor
            (i32.xor
              (i32.xor
                (i32.xor
                  (i32.xor
                    (i32.load offset=11264 (i32.and (i32.shl (local.get $second) (i32.const 2)) (i32.const 1020)))
                    (i32.load offset=10240 (i32.and (i32.shr_u (local.get $second) (i32.const 6)) (i32.const 1020))))
                  (i32.xor
                    (i32.load offset=9216 (i32.and (i32.shr_u (local.get $second) (i32.const 14)) (i32.const 1020)))
                    (i32.load offset=8192 (i32.and (i32.shr_u (local.get $second) (i32.const 22)) (i32.const 1020)))))
                (i32.xor
                  (i32.xor
                    (i32.load offset=7168 (i32.and (i32.shl (local.get $third) (i32.const 2)) (i32.const 1020)))
                    (i32.load offset=6144 (i32.and (i32.shr_u (local.get $third) (i32.const 6)) (i32.const 1020))))
                  (i32.xor
                    (i32.load offset=5120 (i32.and (i32.shr_u (local.get $third) (i32.const 14)) (i32.const 1020)))
                    (i32.load offset=4096 (i32.and (i32.shr_u (local.get $third) (i32.const 22)) (i32.const 1020))))))
              (i32.xor
                (i32.xor
                  (i32.load offset=3072 (i32.and (i32.shl (local.get $fourth) (i32.const 2)) (i32.const 1020)))
                  (i32.load offset=2048 (i32.and (i32.shr_u (local.get $fourth) (i32.const 6)) (i32.const 1020))))
                (i32.xor
                  (i32.load offset=1024 (i32.and (i32.shr_u (local.get $fourth) (i32.const 14)) (i32.const 1020)))
                  (i32.load offset=0 (i32.and (i32.shr_u (local.get $fourth) (i32.const 22)) (i32.const 1020))))))
            (i32.xor
              (i32.xor
                (i32.load offset=15360 (i32.and (i32.shl (local.get $first) (i32.const 2)) (i32.const 1020)))
                (i32.load offset=14336 (i32.and (i32.shr_u (local.get $first) (i32.const 6)) (i32.const 1020))))
              (i32.xor
                (i32.load offset=13312 (i32.and (i32.shr_u (local.get $first) (i32.const 14)) (i32.const 1020)))
                (i32.load offset=12288 (i32.and (i32.shr_u (local.get $first) (i32.const 22)) (i32.const 1020)))))))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br $sixteen)))

    (block $done
      (loop $one
        (br_if $done (i32.eq (local.get $at) (local.get $end)))
        (local.set $crc
          (i32.xor
            (i32.shr_u (local.get $crc) (i32.const 8))
            (i32.load
              (i32.shl
                (i32.and
                  (i32.xor (local.get $crc) (i32.load8_u (local.get $at)))
                  (i32.const 255))
                (i32.const 2)))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $one)))

    (i32.xor (local.get $crc) (i32.const -1))))
