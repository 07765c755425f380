FROM --platform=$BUILDPLATFORM docker.io/library/busybox:1.37.0-glibc AS build
ARG TARGETPLATFORM
ARG TARGETARCH
ARG BUILDPLATFORM
RUN echo "$TARGETPLATFORM $TARGETARCH $BUILDPLATFORM" > /platforms && mkdir /empty
FROM scratch
COPY --from=build /platforms /
COPY --from=build /empty /empty/
COPY one.txt /deep/folder/
WORKDIR /work
LABEL from=scratch
CMD ["/nothing"]
