# Verbs only; how a part is built is written in that part.

PYTHON := /usr/bin/python3
# The folder of this file, whatever blanks it has, is where make stands.
.PHONY: all build run stop demo psql test check bench fuzz soak format format-check \
	install packages key-folder clean

all: build

packages:
	@test/local/packages $(SET)

build: packages
	@$(MAKE) --no-print-directory -s -C extension
	@$(MAKE) --no-print-directory -s -C gateway
	@test/local/server make

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

check: packages
	@test/run checks

bench: build
	@test/bench/run $(ROWS)

# SECONDS is the time each fuzz target gets.
fuzz: build
	@test/local/fuzz all $(or $(SECONDS),600)

soak: build
	@$(PYTHON) test/fault/soak.py

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
