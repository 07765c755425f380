FROM docker.io/library/busybox:1.37.0-glibc AS base
ENTRYPOINT ["/entry", "one"]
CMD ["two", "three"]
FROM base AS reset
ENTRYPOINT ["/other"]
FROM base AS emptied
ENTRYPOINT []
CMD []
FROM base AS both
CMD ["kept"]
ENTRYPOINT ["/mine"]
FROM reset
COPY --from=emptied /etc/passwd /emptied
COPY --from=both /etc/passwd /both
ENTRYPOINT /bin/echo $HOME
CMD echo "shell form" && true
