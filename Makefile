# Verbs only; how a part is built is written in that part.

.PHONY: all build build-extension build-gateway run stop demo psql test test-all check bench fuzz soak format \
	format-check compile-commands pictures install packages key-folder clean

all: build

packages:
	@test/local/packages $(SET)

# Both parts at once, as many compilers as there are processors; a make with a -j of its own keeps it.
build: packages
	@$(MAKE) --no-print-directory -s $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc)) build-extension build-gateway
	@test/local/server make

build-extension build-gateway:
	@$(MAKE) --no-print-directory -s -C $(@:build-%=%)

run: build
	@PORT='$(PORT)' test/local/run

stop:
	@test/local/stop

demo:
	@test/local/demo

psql:
	@test/local/psql

test: build
	@test/run $(SUITES)

# What takes long as well: several nodes, long walks, sockets for minutes.
test-all: build
	@KN_SUITES=test/suites:test/suites-long test/run $(SUITES)

check: packages
	@test/run checks

bench: build
	@test/bench/run $(ROWS)

# SECONDS is the time each fuzz target gets.
fuzz: build
	@test/local/fuzz all $(or $(SECONDS),600)

# SECONDS is how long the main job is played over and over on the running instance.
soak: run
	@test/local/soak $(or $(SECONDS),3600)
	@/usr/bin/python3 test/clients/test_sync_simulation.py $(or $(SECONDS),3600)

# For editors: how each file is compiled.
compile-commands: packages
	@test/local/compile_commands

pictures:
	@test/local/packages pictures
	@test/local/pictures

format: packages
	@test/check/format.sh write

format-check: packages
	@test/check/format.sh

install:
	@$(MAKE) --no-print-directory -C extension install
	@$(MAKE) --no-print-directory -C gateway install

# The place of the key ring in the image; a volume mounted there takes over its owner and mode.
key-folder:
	install -d -o postgres -g postgres -m 700 /var/lib/kintaraa/keys

clean:
	@test/local/clean
