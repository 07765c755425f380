FROM docker.io/library/busybox:1.37.0-glibc
RUN echo ann:x:1234:1234::/home/ann:/bin/sh >> /etc/passwd && echo crew:x:777:ann >> /etc/group
COPY --chown=ann one.txt /by-name
COPY --chown=ann:crew folder /made/by/name
COPY --chown=55 one.txt /number
COPY --chown=55:66 one.txt two.txt /numbers/
COPY --chown=:crew one.txt /group
COPY --chown=ann:66 one.txt /mixed
ARG OWNER=ann:crew
COPY --chown=$OWNER one.txt /variable
COPY --chmod=4751 one.txt /setuid
COPY --chmod=0640 folder /modes
COPY --chmod=700 --chown=55:66 one.txt /new/folder/both
COPY --chmod=711 folder/leaf /app/
USER ann
COPY one.txt /still-root
