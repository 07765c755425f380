FROM docker.io/library/busybox:1.37.0-glibc
ARG URL
ADD $URL/one.txt /
ADD $URL/one.txt /named
ADD $URL/one.txt $URL/files.tar.gz two.txt /several/
ADD --chmod=755 --chown=12:34 $URL/one.txt /run
