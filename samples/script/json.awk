# Reads JSON as the engine writes it (indented by one space, so that each line holds one value or one bracket) and calls
# leaf(path, value) for every string, number, true, false, null and empty object or list.
#
# Values are raw JSON. A path joins keys (raw, with their quotes) and list indexes by "/": 0/"properties"/"content".
{
  match($0, /^ */)
  depth = RLENGTH
  rest = substr($0, depth + 1)
  sub(/,$/, "", rest)
  if (rest == "}" || rest == "]") next
  way[depth] = ""
  if (depth > 0) {
    if (is_list[depth - 1]) {
      key = entries[depth - 1]++
    } else {
      end = string_end(rest)
      key = substr(rest, 1, end)
      rest = substr(rest, end + 3)
    }
    way[depth] = (depth > 1 ? way[depth - 1] "/" : "") key
  }
  if (rest == "{") is_list[depth] = 0
  else if (rest == "[") { is_list[depth] = 1; entries[depth] = 0 }
  else leaf(way[depth], rest)
}

# Where the string that a text begins with ends.
function string_end(text,   i, c) {
  for (i = 2; i <= length(text); i++) {
    c = substr(text, i, 1)
    if (c == "\\") i++
    else if (c == "\"") return i
  }
  return 0
}
