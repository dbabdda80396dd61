# The toolchain that people and the build machine share: everything in test/local/packages.list.
FROM debian:12
RUN apt-get update && apt-get install -y --no-install-recommends make
WORKDIR /kintaraa
COPY Makefile Makefile
COPY test/local test/local
RUN make packages
