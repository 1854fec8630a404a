/** Loads @peculiar/x509 only when something is issued: it costs time and memory that a serving gate must not pay. */
import type * as X509 from '@peculiar/x509';

export type X509Library = typeof X509;

export async function loadX509(): Promise<X509Library> {
  // The library's dependency injection reads metadata when it is evaluated, but does not depend on the package.
  await import('reflect-metadata');
  return import('@peculiar/x509');
}
