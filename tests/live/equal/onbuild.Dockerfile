FROM docker.io/library/busybox:1.37.0-glibc AS parent
WORKDIR /app
ENV WHO=parent
ONBUILD ARG COLOUR=red
ONBUILD ENV WHO=child
ONBUILD COPY --chown=5:6 one.txt ./
ONBUILD RUN echo "$COLOUR $WHO" > colour
ONBUILD WORKDIR inner
ONBUILD CMD ["cat", "colour"]
FROM parent
RUN pwd > here && ls .. > names
ONBUILD RUN echo for the next
ONBUILD USER nobody
