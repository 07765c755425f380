FROM docker.io/library/busybox:1.37.0-glibc
WORKDIR relative
RUN pwd > where
WORKDIR ../other/./place/
WORKDIR deeper
ENV HOMES=/homes
WORKDIR ${HOMES}/ann
RUN mkdir -p /linked && ln -s /linked /link && echo ann:x:1234:1234::/home/ann:/bin/sh >> /etc/passwd && chmod 700 /linked
WORKDIR /link/inside
COPY one.txt .
USER ann
WORKDIR /of/ann
WORKDIR more
RUN pwd > where && id -u >> where
USER 55
WORKDIR /of/55
USER 55:66
WORKDIR /of/55-66
WORKDIR /tmp
WORKDIR there
