/**
 * The shell script that PostgreSQL runs under, so that it ends when the engine ends, however that ends.
 *
 * Its standard input is a pipe that only the engine holds. When the pipe closes (the engine closes it to stop the
 * database; the kernel closes it when the engine is killed), the guard asks PostgreSQL for a fast shutdown, then for
 * an immediate one, then kills it; every one of the three keeps each committed write. One mechanism for the orderly
 * end and the kill, on every POSIX system: unlike PR_SET_PDEATHSIG it does not depend on Linux, on util-linux, or on
 * which thread of the engine started the child.
 *
 * The script is the parent of PostgreSQL and reaps it, so no zombie can pass for a live postmaster, and its process id
 * cannot be reused while the guard may still signal it. A signal to the script alone is not passed on.
 *
 * A postmaster installs its own handlers, so that the shell's ignoring of SIGINT for `&` does not reach it.
 */
export const GUARD_SCRIPT = `
exec 4<&0 </dev/null
trap : HUP INT TERM
"$@" 4<&- &
postgres=$!
(
  trap - HUP INT TERM
  read -r line <&4
  for signal in INT QUIT KILL; do
    kill -"$signal" "$postgres" || exit
    for second in 1 2 3 4 5 6 7 8; do
      sleep 1
      kill -0 "$postgres" || exit
    done
  done
) >/dev/null 2>&1 &
guard=$!
exec 4<&-
while :; do
  wait "$postgres"
  status=$?
  [ "$status" -ne 127 ] && kill -0 "$postgres" 2>/dev/null || break
done
kill "$guard" 2>/dev/null
exit "$status"
`;

/** Longest time in ms that the guard lets PostgreSQL take to end, with a margin for a busy machine. */
export const GUARD_STOP_MS = 30_000;
