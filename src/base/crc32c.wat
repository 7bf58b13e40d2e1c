;; CRC-32C (Castagnoli) of bytes in an imported memory. src/base/crc32c.ts fills in its tables and
;; tells the layout; `npm run generate` compiles this file into src/base/crc32c.wasm.ts.
;;
;; Short pieces go through tables, sixteen bytes at a time ("slicing by 16"): table k holds, for
;; each byte, the CRC of that byte followed by k zero bytes.
;;
;; Long pieces are shortened to 79 rows of 16 bytes first, without a table. The polynomial P of
;; CRC-32C divides S(x) = x^79 + x^75 + x^71 + x^58 + x^18 + x^12 + x + 1, hence also S(x^128), which
;; is S(x)^128 as squaring goes over GF(2). The power of x^128 that a row stands for can therefore
;; be exchanged for those that rows 4, 8, 21, 61, 67, 78 and 79 further on stand for: the row is
;; added to them, and gone. This is the idea of "Chorba" (S. Russell, arXiv 2412.16398).
(module
  (import "base" "memory" (memory 1))

  ;; Goes on with the bare remainder, through the tables at address 0. A lookup wants (byte * 4) as
  ;; its address, so bytes are cut out of a word at bits 2 to 9, hence the mask 1020. The four
  ;; lookups that wait for the last round's remainder are joined last.
  (func $slice (param $crc i32) (param $at i32) (param $length i32) (result i32)
    (local $end i32)
    (local $first i32) (local $second i32) (local $third i32) (local $fourth i32)
    (local.set $end (i32.add (local.get $at) (local.get $length)))

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
    (local.get $crc))

  (func (export "update") (param $crc i32) (param $at i32) (param $length i32) (result i32)
    (local $folded i32) (local $row i32) (local $target i32) (local $end i32)
    (local.set $crc (i32.xor (local.get $crc) (i32.const -1)))

    ;; Up to 32 KiB a round, while that is at least twice the 1264 bytes of 79 rows. At 16384 lie 79
    ;; rows of nothing, then the sums of all rows but the last 79, then in place of those nothing
    ;; again, since they are not exchanged, and their own sums behind it.
    (block $short
      (loop $round
        (br_if $short (i32.lt_u (local.get $length) (i32.const 2528)))
        (local.set $folded (i32.and (local.get $length) (i32.const -16)))
        (if (i32.gt_u (local.get $folded) (i32.const 32768))
          (then (local.set $folded (i32.const 32768))))
        ;; The remainder of what came before goes into the first of those rows of nothing. Only the
        ;; first row of the data is 79 further on, so nothing else takes it up.
        (i32.store (i32.const 16384) (local.get $crc))
        (local.set $row (i32.const 16384))
        (local.set $target (i32.const 17648))
        (local.set $end (i32.add (local.get $folded) (i32.const 15120)))

        (loop $part
          (loop $sum
            (v128.store (local.get $target)
              (v128.xor
                (v128.xor
                  (v128.xor
                    (v128.load align=1 (local.get $at))
                    (v128.load offset=0 (local.get $row)))
                  (v128.xor
                    (v128.load offset=16 (local.get $row))
                    (v128.load offset=192 (local.get $row))))
                (v128.xor
                  (v128.xor
                    (v128.load offset=288 (local.get $row))
                    (v128.load offset=928 (local.get $row)))
                  (v128.xor
                    (v128.load offset=1136 (local.get $row))
                    (v128.load offset=1200 (local.get $row))))))
            (local.set $at (i32.add (local.get $at) (i32.const 16)))
            (local.set $row (i32.add (local.get $row) (i32.const 16)))
            (local.set $target (i32.add (local.get $target) (i32.const 16)))
            (br_if $sum (i32.ne (local.get $row) (local.get $end))))
          (if (i32.eq (local.get $target) (i32.add (local.get $row) (i32.const 1264)))
            (then
              (memory.fill (local.get $target) (i32.const 0) (i32.const 1264))
              (local.set $target (i32.add (local.get $target) (i32.const 1264)))
              (local.set $end (i32.add (local.get $end) (i32.const 1264)))
              (br $part))))

        (local.set $crc
          (call $slice
            (i32.const 0)
            (i32.sub (local.get $target) (i32.const 1264))
            (i32.const 1264)))
        (local.set $length (i32.sub (local.get $length) (local.get $folded)))
        (br $round)))

    (i32.xor
      (call $slice (local.get $crc) (local.get $at) (local.get $length))
      (i32.const -1))))
