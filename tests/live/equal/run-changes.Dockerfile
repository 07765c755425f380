FROM docker.io/library/busybox:1.37.0-glibc
RUN mkdir -p /d/sub /gone/below /keep && echo 1 > /d/file && echo 2 > /d/sub/file && echo 3 > /gone/below/it \
    && echo 4 > /keep/a && echo 5 > /keep/b && ln -s a /keep/link && echo 6 > /turns && mkdir /turned && echo 7 > /turned/x
RUN rm -r /gone /keep/a && echo more >> /d/file && chmod 600 /d/sub/file && chmod 711 /d && mv /keep/b /keep/c
RUN rm /turns && mkdir /turns && echo in > /turns/in && rm -r /turned && echo file > /turned
RUN rm -r /turns && echo back > /turns && rm /turned && mkdir /turned && rm /keep/link && ln -s c /keep/link
RUN rm -r /d && mkdir /d && echo new > /d/new && mkdir /gone && echo again > /gone/again
RUN mv /keep /moved && rm /etc/group && rm -rf /home && touch -d 2001-01-01 /moved/c
RUN true
RUN mkdir -p "/with space" && echo é > "/with space/é" && : > "/with space/empty"
