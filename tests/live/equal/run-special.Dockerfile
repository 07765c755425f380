FROM docker.io/library/busybox:1.37.0-glibc
RUN echo x > /suid && chmod 6755 /suid && mkdir -m 1777 /sticky && mkdir -p -m 2775 /setgid /empty/folders/inside
RUN echo a > /a && ln /a /b && ln /a /sticky/c && ln -s /a /absolute && ln -s ../a /sticky/relative && ln -s nowhere /dangling
RUN chown 12:34 /a && chown -h 5:6 /absolute && chown -R 7:8 /empty && chmod 0 /suid
RUN mkfifo /pipe && chmod 1 /empty
RUN ln /etc/passwd /more-passwd && ln /bin/busybox /box
RUN echo more >> /b && rm /sticky/c
RUN mknod /null c 1 3 && chmod 666 /null
RUN chmod 000 /setgid && dd if=/dev/zero of=/large bs=1k count=300 2>/dev/null && truncate -s 1M /sparse
