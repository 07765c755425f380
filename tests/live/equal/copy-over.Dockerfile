FROM docker.io/library/busybox:1.37.0-glibc
RUN mkdir -p /app/inner /app/private /real && chmod 700 /app /app/inner && chmod 755 /app/private \
    && echo old > /app/inner/leaf && echo old > /app/run.sh && chmod 600 /app/run.sh \
    && ln -s real /link && ln -s /nowhere /dangling && echo old > /kept && ln -s kept /name
COPY folder /app
COPY two.txt /app/run.sh
COPY one.txt /link/
COPY folder /link
COPY one.txt /dangling/
COPY two.txt /name
COPY links /app/inner
