# `make demo` shows the whole path on a real kernel; `make test` proves it; `make run` starts the server;
# `make install` puts both programs and their services into the system (DESTDIR, PREFIX).
.PHONY: build demo test run install format clean
PUBLISH = dotnet publish -c Release -v quiet --nologo

build:
	tests/prepare build
	$(PUBLISH) src/Netdump.Client -r linux-x64 -o artifacts/client
	$(PUBLISH) src/Netdump.Server -o artifacts/server

demo:
	tests/prepare demo
	@$(MAKE) --no-print-directory build
	scripts/demo

test:
	tests/prepare test
	@$(MAKE) --no-print-directory build
	tests/run

run: build
	artifacts/server/netdump-server

install: build
	packaging/install

format:
	dotnet format netdump.slnx

clean:
	rm -rf artifacts src/*/bin src/*/obj tests/*/bin tests/*/obj bench/*/bin bench/*/obj
