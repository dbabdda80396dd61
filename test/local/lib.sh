# Common ground of the scripts in this folder; sourced, never run.
# shellcheck shell=bash disable=SC2034
set -euo pipefail

kn_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
kn_build=$kn_root/.build
kn_pg_bindir=${KN_PG_BINDIR:-/usr/lib/postgresql/15/bin}
export LC_ALL=C.UTF-8 PATH="${KN_PATH:+$KN_PATH:}/usr/sbin:/usr/bin:/sbin:/bin:$PATH"
unset PGHOST PGPORT PGUSER PGDATABASE PGPASSWORD PGSERVICE PGOPTIONS PGDATA CDPATH

say() { printf '%s\n' "$*"; }
die() {
	printf 'kintaraa: %s\n' "$*" >&2
	exit 1
}

is_root() { [ "$(id -u)" -eq 0 ]; }

# PostgreSQL refuses root; the gateway needs nothing of root or of the database's files.
server_user() { if is_root; then echo postgres; else id -un; fi; }
gateway_user() { if is_root; then echo nobody; else id -un; fi; }

# as USER COMMAND…: runs a command as that user, from a folder everybody can reach.
as() {
	local user=$1
	shift
	if [ "$user" = "$(id -un)" ]; then
		(cd / && exec "$@" 9>&-)
	else
		(cd / && exec setpriv --reuid="$user" --regid="$(id -gn "$user")" --init-groups \
			env HOME=/ USER="$user" LOGNAME="$user" "$@" 9>&-)
	fi
}

can_reach() { as "$1" test -r "$2/Makefile" -a -x "$2" 2>/dev/null; }

# Where data lives that other users must reach: in the tree, or when the tree is closed to them
# (a home of mode 0700) under /var/lib/kintaraa, in a folder of this tree's own.
data_home() {
	if ! is_root || { can_reach postgres "$kn_root" && can_reach nobody "$kn_root"; }; then
		printf '%s\n' "$kn_build"
	else
		printf '/var/lib/kintaraa/%s\n' "$(printf %s "$kn_root" | sha256sum | cut -c1-12)"
	fi
}

make_home() {
	kn_home=$(data_home)
	mkdir -p "$kn_build" "$kn_home" || die "cannot create $kn_home."
	if [ "$kn_home" != "$kn_build" ]; then
		chmod 755 /var/lib/kintaraa "$kn_home"
	fi
	kn_server=$kn_home/server
	kn_bin=$kn_server/lib/postgresql/15/bin
}

# The folder of the instance that `make run` keeps.
make_run_folder() {
	make_home
	kn_run=$kn_root/.run
	if [ "$kn_home" != "$kn_build" ] && [ ! -e "$kn_run" ]; then
		mkdir -p "$kn_home/run"
		rm -f "$kn_run"
		ln -s "$kn_home/run" "$kn_run"
	fi
	mkdir -p "$kn_run"
	chmod 711 "$kn_run/."
}

# need_space FOLDER MEGABYTES
need_space() {
	local free
	free=$(df --output=avail -m "$1" | tail -1)
	[ "$free" -ge "$2" ] || die "the disk of $1 has $free MB left and $2 MB are needed."
}

port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

check_port() {
	if ! [[ $1 =~ ^[0-9]{1,5}$ ]] || [ "$1" -lt 1 ] || [ "$1" -gt 65535 ]; then
		die "\"$1\" is not a port."
	fi
}

# Below the range the kernel hands out itself, so that no client connection can sit on it.
free_port() {
	local port
	for _ in $(seq 100); do
		port=$((15000 + RANDOM % 16000))
		if ! port_taken "$port"; then
			echo "$port"
			return
		fi
	done
	die "found no free port in a hundred tries."
}

random_hex() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }

# A process is named by its id and its start time, because ids are used again.  One that has ended and
# only waits to be collected is gone.
process_start() {
	local fields
	fields=$(sed -E 's/^.*\) //' "/proc/$1/stat" 2>/dev/null) || return 1
	# shellcheck disable=SC2086
	set -- $fields
	[ "$1" != Z ] || return 1
	echo "${20}"
}
write_process() { printf '%s %s\n' "$2" "$(process_start "$2")" >"$1"; }

# process_of FILE: prints the id if the process recorded there still is the same one.
process_of() {
	local pid start
	[ -r "$1" ] || return 1
	read -r pid start <"$1" || return 1
	[ -n "$start" ] && [ "$(process_start "$pid")" = "$start" ] || return 1
	echo "$pid"
}

# stop_process FILE SIGNAL SECONDS: signals that process and waits until it is gone.
stop_process() {
	local pid
	if pid=$(process_of "$1"); then
		kill -s "$2" "$pid" 2>/dev/null || true
		for _ in $(seq $(($3 * 20))); do
			process_of "$1" >/dev/null || break
			sleep 0.05
		done
		if process_of "$1" >/dev/null; then
			die "process $pid did not stop within $3 seconds; see the log beside $1."
		fi
	fi
	rm -f "$1"
}

# Runs a command while holding the lock on what several scripts share under the data home.  Servers must
# not inherit the lock, hence as() closes 9.
with_lock() {
	(
		flock 9
		"$@"
	) 9>"$kn_home/lock"
}
