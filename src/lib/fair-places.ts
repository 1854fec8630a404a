/**
 * Who holds a bounded number of places, who of them yields to a newcomer (the oldest of the largest group), and whose turn
 * it is. Groups are nested (a net, the addresses in it), so that a whole net of small groups counts as the one party that
 * it may be. Bookkeeping only: it closes nothing, and its owner says how many there may be.
 */

interface Node<Holder> {
  size: number;
  /** Those that this group is divided into, the one whose turn is next first; empty at the last level. */
  readonly parts: Map<string, Node<Holder>>;
  /** Oldest first; empty above the last level. */
  readonly holders: Set<Holder>;
}

export class FairPlaces<Holder> {
  readonly #root: Node<Holder> = emptyNode();
  readonly #groups = new Map<Holder, readonly string[]>();

  get size(): number {
    return this.#root.size;
  }

  /** All, the oldest first. */
  holders(): IterableIterator<Holder> {
    return this.#groups.keys();
  }

  /** @param group from the widest to the narrowest; all of one table have names that tell the levels apart. */
  add(holder: Holder, group: readonly string[]): void {
    if (this.#groups.has(holder)) return;
    this.#groups.set(holder, group);
    let node = this.#root;
    node.size += 1;
    for (const name of group) {
      const known = node.parts.get(name);
      const part = known ?? emptyNode<Holder>();
      if (known === undefined) node.parts.set(name, part);
      part.size += 1;
      node = part;
    }
    node.holders.add(holder);
  }

  /**
   * Adds one where there are so many places; where all are taken, somebody yields.
   * @param group as for `add`.
   * @param isSilent who gives way before those of the same group that came earlier; default: nobody.
   * @returns who has yielded, and has no place any more.
   */
  enter(
    holder: Holder,
    group: readonly string[],
    { most, isSilent = () => true }: { readonly most: number; readonly isSilent?: (holder: Holder) => boolean },
  ): Holder | null {
    const yielding = this.size < most ? null : this.yielding(isSilent);
    if (yielding !== null) this.delete(yielding);
    this.add(holder, group);
    return yielding;
  }

  /** How many there are in a group of the widest level: no group within is larger. */
  sizeOf(widest: string): number {
    return this.#root.parts.get(widest)?.size ?? 0;
  }

  /** Whether it had a place. */
  delete(holder: Holder): boolean {
    const group = this.#groups.get(holder);
    if (group === undefined) return false;
    this.#groups.delete(holder);
    let node = this.#root;
    node.size -= 1;
    for (const name of group) {
      const part = node.parts.get(name);
      if (part === undefined) return true;
      part.size -= 1;
      if (part.size === 0) {
        node.parts.delete(name);
        return true;
      }
      node = part;
    }
    node.holders.delete(holder);
    return true;
  }

  /** Takes out the one whose turn it is: at each level the groups take turns, and of the last one it is the oldest. */
  shift(): Holder | null {
    let node = this.#root;
    while (node.parts.size > 0) {
      const [first] = node.parts;
      if (first === undefined) break;
      const [name, part] = first;
      // Behind all others.
      node.parts.delete(name);
      node.parts.set(name, part);
      node = part;
    }
    const [oldest = null] = node.holders;
    if (oldest !== null) this.delete(oldest);
    return oldest;
  }

  /**
   * The one that yields: of the largest group, down to the last level (of equals the one that came first), the oldest
   * that is silent, else the oldest. Its cost is one look at the groups of each level on the way.
   * @param within only there.
   */
  yielding(isSilent: (holder: Holder) => boolean, within: readonly string[] = []): Holder | null {
    let node: Node<Holder> | undefined = this.#root;
    for (const name of within) node = node?.parts.get(name);
    while (node !== undefined && node.parts.size > 0) node = largest(node.parts);
    if (node === undefined) return null;
    for (const holder of node.holders) if (isSilent(holder)) return holder;
    const [oldest = null] = node.holders;
    return oldest;
  }
}

function emptyNode<Holder>(): Node<Holder> {
  return { size: 0, parts: new Map(), holders: new Set() };
}

function largest<Holder>(parts: ReadonlyMap<string, Node<Holder>>): Node<Holder> | undefined {
  let found: Node<Holder> | undefined;
  for (const part of parts.values()) if (found === undefined || part.size > found.size) found = part;
  return found;
}
