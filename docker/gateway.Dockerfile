# The gateway alone: it reaches PostgreSQL by KINTARAA_DATABASE.
FROM debian:12 AS build
RUN apt-get update && apt-get install -y --no-install-recommends make
WORKDIR /kintaraa
COPY . .
RUN make packages SET=build
RUN make install

FROM debian:12
RUN apt-get update && apt-get install -y --no-install-recommends make
WORKDIR /kintaraa
COPY Makefile Makefile
COPY test/local test/local
RUN make packages SET=gateway
COPY --from=build /usr/local/bin/kintaraa-gateway /usr/local/bin/kintaraa-gateway
USER nobody
ENV KINTARAA_LISTEN=0.0.0.0:8080
EXPOSE 8080
CMD ["kintaraa-gateway"]
