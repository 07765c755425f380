/* Threads that use one heap, all at once. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
static void *work(void *arg) {
  unsigned seed = (unsigned)(long)arg;
  void *kept[64] = {0};
  for (int i = 0; i < 3000; i++) {
    int k = rand_r(&seed) % 64;
    free(kept[k]);
    size_t n = 1 + rand_r(&seed) % 60000;
    kept[k] = malloc(n);
    memset(kept[k], k, n);
  }
  for (int k = 0; k < 64; k++) free(kept[k]);
  return 0;
}
int main(void) {
  pthread_t t[4];
  for (long i = 0; i < 4; i++) pthread_create(&t[i], 0, work, (void *)(i + 1));
  for (int i = 0; i < 4; i++) pthread_join(t[i], 0);
  puts("fine");
}
