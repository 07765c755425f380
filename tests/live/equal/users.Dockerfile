FROM docker.io/library/busybox:1.37.0-glibc
RUN echo ann:x:1234:1234::/home/ann:/bin/sh >> /etc/passwd && echo crew:x:777:ann >> /etc/group && mkdir -m 777 /out
USER ann
RUN id > /out/ann && echo $HOME >> /out/ann && touch /out/of-ann
USER 1234
RUN id > /out/number && echo $HOME >> /out/number
USER ann:crew
RUN id > /out/ann-crew && touch /out/of-ann-crew
USER 55
RUN id > /out/55 && echo $HOME >> /out/55
USER 55:66
RUN id > /out/55-66 && mkdir /out/of-55-66
USER 0
RUN id > /out/root && echo $HOME >> /out/root && chown -R nobody:crew /out/of-55-66
USER nobody
