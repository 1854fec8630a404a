;; Counts the lines of a text exposition, sixteen bytes at a time. Its binary stands in line-counter.ts; a test compares
;; the two.
(module
  (memory (export "memory") 2)

  ;; The first byte from $at that is no space, tab or carriage return; $end when there is none.
  (func $visible (param $at i32) (param $end i32) (result i32)
    (local $byte i32)
    (block $found
      (loop $next
        (br_if $found (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $byte (i32.load8_u (local.get $at)))
        (br_if $found
          (i32.and
            (i32.and
              (i32.ne (local.get $byte) (i32.const 32))
              (i32.ne (local.get $byte) (i32.const 9)))
            (i32.ne (local.get $byte) (i32.const 13))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (local.get $at))

  ;; $end: bytes from 0, at most 65536. $fresh: 1 when nothing but blanks has come of the first line.
  ;; Returns twice the number of lines that are no comment, plus 1 when nothing but blanks has come of the last line.
  (func (export "count") (param $end i32) (param $fresh i32) (result i32)
    (local $at i32) (local $block i32) (local $byte i32)
    (local $lines i32) (local $newlines i32) (local $start i32)
    (block $done
      ;; $block: start of the 16 bytes whose newlines are in $newlines, one bit for each that was not visited yet.
      (local.set $block (i32.const -16))
      (if (i32.eqz (local.get $fresh)) (then (local.set $start (i32.const -1))))
      (loop $line
        ;; The line that begins at $start: a comment, empty, or one that counts? Most have no blank before it.
        (if (i32.ge_s (local.get $start) (i32.const 0))
          (then
            (local.set $at (local.get $start))
            (if (i32.lt_u (local.get $at) (local.get $end))
              (then
                (local.set $byte (i32.load8_u (local.get $at)))
                (if (i32.le_u (local.get $byte) (i32.const 32))
                  (then
                    (local.set $at (call $visible (local.get $at) (local.get $end)))))))
            (local.set $fresh (i32.ge_u (local.get $at) (local.get $end)))
            (if (i32.eqz (local.get $fresh))
              (then
                (local.set $byte (i32.load8_u (local.get $at)))
                (if (i32.and
                      (i32.ne (local.get $byte) (i32.const 35))
                      (i32.ne (local.get $byte) (i32.const 10)))
                  (then (local.set $lines (i32.add (local.get $lines) (i32.const 1)))))))))
        ;; The next newline.
        (block $newline
          (loop $search
            (br_if $newline (local.get $newlines))
            (local.set $block (i32.add (local.get $block) (i32.const 16)))
            (br_if $done (i32.ge_s (local.get $block) (local.get $end)))
            (local.set $newlines
              (i8x16.bitmask
                (i8x16.eq
                  (v128.load (local.get $block))
                  (v128.const i8x16 10 10 10 10 10 10 10 10 10 10 10 10 10 10 10 10))))
            (br $search)))
        (local.set $start
          (i32.add (i32.add (local.get $block) (i32.ctz (local.get $newlines))) (i32.const 1)))
        (local.set $newlines
          (i32.and (local.get $newlines) (i32.sub (local.get $newlines) (i32.const 1))))
        ;; What lies behind the end is of an earlier chunk.
        (br_if $line (i32.le_s (local.get $start) (local.get $end)))))
    (i32.or (i32.shl (local.get $lines) (i32.const 1)) (local.get $fresh))))
