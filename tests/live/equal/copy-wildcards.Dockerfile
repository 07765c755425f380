FROM docker.io/library/busybox:1.37.0-glibc
COPY *.txt /texts/
COPY fold* /several/
COPY f?lder/*.sh /scripts/
COPY folder/*/leaf /leaves/
COPY [ot]*.txt nothing-like-this* /letters/
COPY f*er*/ /all/
