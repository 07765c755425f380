FROM docker.io/library/busybox:1.37.0-glibc
RUN mkdir -p /app && chmod 700 /app && echo old > /app/leaf && ln -s app /link
WORKDIR /work
COPY --link one.txt .
COPY --link folder /app/
COPY --link --chown=55:66 --chmod=700 one.txt /new/place/
COPY --link one.txt two.txt /link/
