FROM docker.io/library/busybox:1.37.0-glibc AS other
RUN mkdir /data && echo of the stage > /data/file && chown 5:6 /data/file
FROM docker.io/library/busybox:1.37.0-glibc
WORKDIR /work
RUN --mount=type=bind,target=/context ls -R /context/folder > listing && cat /context/one.txt > one
RUN --mount=type=bind,source=folder,target=here,rw echo lost > here/lost && ls here > here-listing
RUN --mount=target=/file,source=two.txt cp /file two
RUN --mount=type=bind,from=other,source=/data,target=/data cp -a /data copied && stat -c %u:%g /data/file > owner
RUN --mount=type=cache,target=/cache stat -c '%a %u:%g' /cache > cache-mode
RUN --mount=type=cache,target=/cache,id=equal,mode=0750,uid=7,gid=8 stat -c '%a %u:%g' /cache > cache-owner
RUN --mount=type=tmpfs,target=/scratch echo x > /scratch/x && stat -c %a /scratch > tmpfs-mode
RUN --mount=type=secret,id=token cat /run/secrets/token > token && stat -c '%a %u:%g' /run/secrets/token >> token
RUN --mount=type=secret,id=token,target=/etc/token,mode=0444,uid=7,gid=8 stat -c '%a %u:%g' /etc/token > token-mode
RUN --mount=type=secret,id=absent ls /run/secrets 2>/dev/null > absent || true
RUN --mount=type=ssh echo $SSH_AUTH_SOCK > ssh && test -S $SSH_AUTH_SOCK
RUN --mount=type=ssh,id=absent --mount=type=ssh,target=/agent echo $SSH_AUTH_SOCK > ssh-two && test -S /agent && ! test -e $SSH_AUTH_SOCK
RUN --mount=type=cache,id=begun,from=other,source=/data,target=/cache cat /cache/file > begun && stat -c '%a %u:%g' /cache /cache/file >> begun
