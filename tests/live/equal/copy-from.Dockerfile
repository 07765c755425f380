ARG BASE=docker.io/library/busybox:1.37.0-glibc
FROM $BASE AS first
WORKDIR /made
RUN echo a > a && ln a b && ln -s a link && mkdir -m 1777 sticky && mkdir inner && echo c > inner/c \
    && chown -R 12:34 inner && chmod 4755 a
RUN ln -s /made/inner /way
FROM first AS second
RUN echo more > /made/more
FROM scratch
COPY --from=first /made /by-name
COPY --from=1 /made/more /by-number
COPY --from=docker.io/library/busybox:1.37.0-glibc /bin/busybox /bin/
COPY --from=docker.io/library/busybox:1.37.0-glibc /etc/pass* /etc/grou[p] /etc/
COPY --from=first --chown=7:8 --chmod=750 /made/inner /owned/
COPY --from=first /way /followed
COPY --from=first /way/c /made/link /files/
COPY --from=SECOND made/sticky /sticky
COPY --from=first /made/a /made/b /apart/
