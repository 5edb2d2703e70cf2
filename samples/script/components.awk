# With json.awk: prints action, name and content of each component, raw and separated by tabs; what is absent is null.
# `inner` is the way from a list entry to its component: empty, or "component"/ with its quotes.
function leaf(path, value,   at, item, field) {
  at = index(path, "/")
  if (at == 0) return
  item = substr(path, 1, at - 1)
  field = substr(path, at + 1)
  if (item + 1 > items) items = item + 1
  if (field == "\"action\"") action[item] = value
  if (field == inner "\"name\"") name[item] = value
  if (field == inner "\"properties\"/\"content\"") content[item] = value
}

function or_null(text) { return text == "" ? "null" : text }

END {
  for (i = 0; i < items; i++) print or_null(action[i]) "\t" or_null(name[i]) "\t" or_null(content[i])
}
