FROM docker.io/library/busybox:1.37.0-glibc AS base
RUN ["sh", "-c", "echo $0 > /exec"]
SHELL ["/bin/sh", "-eu", "-c"]
RUN echo "$0 $-" > /flags
CMD echo shell form
HEALTHCHECK --interval=1m30s --timeout=500ms --start-period=2s --retries=5 CMD wget -q localhost || exit 1
ENTRYPOINT exec top
FROM base
RUN echo "$0 $-" > /inherited
SHELL ["/bin/busybox", "ash", "-c"]
RUN echo "$0" > /ash
HEALTHCHECK CMD ["true", "really"]
CMD echo again
