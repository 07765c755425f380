FROM docker.io/library/busybox:1.37.0-glibc
MAINTAINER Ann <ann@example.org>
EXPOSE 80 443/tcp 53/udp 8000-8003 9000-9001/UDP
VOLUME ["/one", "/two words"]
VOLUME /three /four
STOPSIGNAL 9
HEALTHCHECK --interval=1h0m0.5s --start-interval=3s CMD ["true"]
LABEL a=1 b=2
LABEL a=3
USER nobody:12
CMD []
