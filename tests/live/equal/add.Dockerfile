FROM docker.io/library/busybox:1.37.0-glibc
RUN mkdir -m 700 /there && ln -s there /link
ADD files.tar /plain
ADD files.tar.gz /gzip/
ADD files.tar.bz2 files.tar.xz /two/
ADD dots.tar /there
ADD not-a.tar one.txt /files/
ADD archives /folder
ADD --chmod=700 files.tar /moded/
ADD files.tar.gz /link/
ADD folder /folder
