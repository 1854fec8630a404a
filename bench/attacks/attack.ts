/** What an attacker is: a program of its own that begins, says that it is under way, and counts what it has done. */

export interface Target {
  readonly port: number;
  /** `Basic …` of an identity that is not the scraper's. */
  readonly authorization: string;
}

export interface Attacker {
  /** So far; each is printed and compared with what the gate counts. */
  counts(): Readonly<Record<string, number>>;
}

/** Resolves once the attack is under way; it then goes on until the process ends. */
export type Attack = (target: Target) => Promise<Attacker>;
