# Shared by get.sh, apply.sh and remove.sh. A component is a file <state folder>/<scope>/<component>; beside it,
# .owner-<component> says whose it is.

# Bytes, not characters: awk must neither combine nor split them.
LC_ALL=C
export LC_ALL
here=$(dirname "$0")
tab=$(printf '\t')

fail() {
  printf '%s\n' "$1" >&2
  exit 1
}

# Sets $place, the folder of the scope. $1: the deployment.
find_place() {
  state=$(awk -f "$here/json.awk" -f "$here/state-folder.awk" "$1")
  case $state in
    '"/'*) ;;
    *) fail 'Set the property stateFolder of the target to an absolute path.' ;;
  esac
  state=$(decode "$state")
  scope=${SYMPHONY_SCOPE:-default}
  case $scope in
    .* | */*) fail "The scope '$scope' cannot be the name of a folder." ;;
  esac
  place=$state/$scope
}

# Prints action, name and content of each component. $1: the references; $2: the way to the component in an entry.
components() {
  awk -v inner="$2" -f "$here/json.awk" -f "$here/components.awk" "$1"
}

# Prints what a raw JSON string stands for.
decode() {
  printf '%s\n' "$1" | awk -f "$here/decode.awk"
}

# Whether a raw name can be the name of a visible file.
usable() {
  case $1 in
    '""' | '".'* | */* | *\\* | null) return 1 ;;
  esac
}

# Takes the quotes off.
plain() {
  text=${1#\"}
  printf '%s' "${text%\"}"
}

# Whether the component is there and belongs to this instance.
ours() {
  [ -f "$place/$1" ] && [ "$(cat "$place/.owner-$1" 2>/dev/null)" = "${SYMPHONY_OWNER_UID:-}" ]
}

# Prints one entry of the results. $1: raw name; $2: status; $3: message.
result() {
  printf '%s\n %s: {"status": %s, "message": "%s"}' "$separator" "$1" "$2" "$3"
  separator=,
}
