#!/bin/sh
# Writes the property `content` of each component to its file.
# $1: the deployment; $2: the components to apply. Results go to <$1 without .json>-output.json.
set -eu
. "$(dirname "$0")/common.sh"

# Prints a result; the file is renamed into place, so that nobody ever reads half of it.
apply_one() {
  usable "$1" || { result "$1" 8003 'the name cannot be the name of a file'; return; }
  case $2 in
    '"'*) ;;
    *) result "$1" 8003 "required property 'content' is missing or no text"; return ;;
  esac
  file=$(plain "$1")
  if [ -e "$place/$file" ] && ! ours "$file"; then
    result "$1" 8001 "the file exists and belongs to somebody else"
    return
  fi
  decode "$2" >"$place/.new-$file"
  if cmp -s "$place/.new-$file" "$place/$file"; then
    rm -f "$place/.new-$file"
  else
    printf '%s' "${SYMPHONY_OWNER_UID:-}" >"$place/.owner-$file"
    mv -f "$place/.new-$file" "$place/$file"
  fi
  result "$1" 8004 ''
}

find_place "$1"
mkdir -p "$place"
list=$(components "$2" '')
separator=
{
  printf '{'
  printf '%s\n' "$list" | while IFS=$tab read -r action name content; do
    [ -z "$name" ] || apply_one "$name" "$content"
  done
  printf '\n}\n'
} >"${1%.json}-output.json"
