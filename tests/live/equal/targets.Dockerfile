FROM docker.io/library/busybox:1.37.0-glibc AS unused
RUN false
FROM docker.io/library/busybox:1.37.0-glibc AS base
ARG WHAT=nothing
LABEL stage=base what=$WHAT
RUN echo $WHAT > /what
FROM base AS wanted
LABEL stage=wanted
COPY one.txt /
FROM base AS later
RUN false
