# Prints the text that a raw JSON string (one per input) stands for, byte by byte and without a line end of its own.
BEGIN { ORS = "" }

{
  count = split(substr($0, 2, length($0) - 2), part, /\\/)
  print part[1]
  for (i = 2; i <= count; i++) {
    c = substr(part[i], 1, 1)
    if (c == "") {
      # Two backslashes in a row: one, and what follows is plain.
      print "\\"
      i++
      print part[i]
    } else if (c == "u") {
      code = hex(substr(part[i], 2, 4))
      if (code >= 55296 && code < 56320 && part[i + 1] ~ /^u[dD][c-fC-F]/) {
        i++
        code = 65536 + (code - 55296) * 1024 + hex(substr(part[i], 2, 4)) - 56320
      }
      utf8(code)
      print substr(part[i], 6)
    } else {
      at = index("nrtbf", c)
      print at ? substr("\n\r\t\b\f", at, 1) : c
      print substr(part[i], 2)
    }
  }
}

function hex(digits,   i, value) {
  for (i = 1; i <= 4; i++) value = value * 16 + index("0123456789abcdef", tolower(substr(digits, i, 1))) - 1
  return value
}

function utf8(code) {
  if (code < 128) printf "%c", code
  else if (code < 2048) printf "%c%c", 192 + int(code / 64), 128 + code % 64
  else if (code < 65536) printf "%c%c%c", 224 + int(code / 4096), 128 + int(code / 64) % 64, 128 + code % 64
  else {
    printf "%c%c", 240 + int(code / 262144), 128 + int(code / 4096) % 64
    printf "%c%c", 128 + int(code / 64) % 64, 128 + code % 64
  }
}
