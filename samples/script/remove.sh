#!/bin/sh
# Removes the file of each component.
# $1: the deployment; $2: the components to remove. Results go to <$1 without .json>-output.json.
set -eu
. "$(dirname "$0")/common.sh"

find_place "$1"
list=$(components "$2" '')
separator=
{
  printf '{'
  printf '%s\n' "$list" | while IFS=$tab read -r action name content; do
    [ -n "$name" ] || continue
    if usable "$name"; then
      file=$(plain "$name")
      # What is gone, or belongs to somebody else, is not ours any more: that is what was asked for.
      if ours "$file"; then rm -f "$place/$file" "$place/.owner-$file"; fi
    fi
    result "$name" 8005 ''
  done
  printf '\n}\n'
} >"${1%.json}-output.json"
rmdir "$place" 2>/dev/null || true
