FROM docker.io/library/busybox:1.37.0-glibc
COPY . /all/
COPY folder /folder
COPY *.txt /texts/
