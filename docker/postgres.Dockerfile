# PostgreSQL 15 with the extension; the first start makes the database by docker/initdb.
FROM postgres:15-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends make
WORKDIR /kintaraa
COPY . .
RUN make packages SET=build
RUN make install
COPY docker/initdb /docker-entrypoint-initdb.d
COPY docker/postgresql.conf /etc/kintaraa/postgresql.conf
RUN make key-folder
VOLUME /var/lib/kintaraa/keys
CMD ["postgres", "-c", "config_file=/etc/kintaraa/postgresql.conf"]
