#!/bin/sh
# Reports which components are there. One whose content on disk is not the declared one is left out: the engine then
# sees that it is missing as declared, and applies it again.
# $1: the deployment; $2: the components of interest, each with the action that is planned for it. The list goes to
# <$1 without .json>-get-output.json.
set -eu
. "$(dirname "$0")/common.sh"

# $1: raw action; $2: file name; $3: raw content. What is to be removed is there with whatever content.
there() {
  ours "$2" || return 1
  [ "$1" != '"delete"' ] || return 0
  case $3 in
    '"'*) decode "$3" | cmp -s - "$place/$2" ;;
    *) return 1 ;;
  esac
}

find_place "$1"
# "Cannot be read" must never look like "is not there".
for folder in "$state" "$place"; do
  [ ! -e "$folder" ] || { [ -d "$folder" ] && [ -r "$folder" ] && [ -x "$folder" ]; } ||
    fail "$folder is not a folder that can be read."
done
list=$(components "$2" '"component"/')
separator=
{
  printf '['
  printf '%s\n' "$list" | while IFS=$tab read -r action name content; do
    [ -n "$name" ] && usable "$name" || continue
    there "$action" "$(plain "$name")" "$content" || continue
    printf '%s\n {"name": %s, "properties": {"content": %s}}' "$separator" "$name" "$content"
    separator=,
  done
  printf '\n]\n'
} >"${1%.json}-get-output.json"
