# With json.awk: prints the property `stateFolder` of the active target, raw; null when there is none.
function leaf(path, value) {
  if (path == "\"activeTarget\"") target = value
  if (path ~ /\/"spec"\/"properties"\/"stateFolder"$/) folders[path] = value
}

END {
  wanted = "\"targets\"/" target "/\"spec\"/\"properties\"/\"stateFolder\""
  print (wanted in folders) ? folders[wanted] : "null"
}
