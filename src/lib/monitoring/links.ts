import { partOf, type App } from '../app.ts';
import { linksWithin, type LinkKind } from '../facts/link.ts';
import { openFilesLimit } from '../provisioning/open-files.ts';
import { VpsLink } from '../provisioning/vps-link.ts';
import type { Subscription } from '../db/schema.ts';
import { intervalOf } from '../schedule.ts';
import type { DueVps } from './fleet.ts';
import { rememberedLink } from './rules/link-columns.ts';
import { BUS_ENDED } from './rules/news.ts';
import { watchStalls } from './stall-watch.ts';
import { isSameLogin, openTarget } from './vps-target.ts';
import type { Verdict } from './rules/verdict.ts';

type Held = { readonly link: VpsLink; readonly subscription: Subscription };

/** Hears what the bus of a VPS tells by itself. */
export type NewsListener = (vps: { readonly id: string; readonly link: VpsLink }, activeState: string) => void;

/**
 * The links of this process, one a VPS. They are kept from look to look only while this process is the one that sweeps:
 * `keep`. A link belongs to one login on one machine: whatever of that is changed ends it.
 */
export class Links {
  readonly #app: App;
  readonly #links = new Map<string, Held>();
  /** Those whose connection is kept, in use or not; whoever was used longest ago comes first. */
  readonly #kept = new Set<string>();
  readonly #inUse = new Set<string>();
  readonly #stalls = watchStalls();
  readonly #most: number;
  #onNews: NewsListener | null = null;

  constructor(app: App) {
    this.#app = app;
    this.#most = Math.min(app.settings.sshMaxLinks, linksWithin(openFilesLimit()));
  }

  /** From now on links are kept, and their news goes to `onNews`. */
  keep(onNews: NewsListener): void {
    this.#onNews = onNews;
  }

  /** Nothing is kept any more; resolves when nothing is open that is not in use. */
  async endKeeping(): Promise<void> {
    this.#onNews = null;
    const idle = [...this.#links].filter(([id]) => !this.#inUse.has(id));
    await Promise.all(idle.map(([id, { link }]) => this.#drop(id, link)));
  }

  /** The link to this VPS, for whoever works on it; to be given back. */
  take({ subscription, state }: DueVps): VpsLink | Extract<Verdict, { kind: 'inconclusive' }> {
    const { id } = subscription;
    const held = this.#links.get(id);
    if (held && isSameLogin(subscription, held.subscription, held.link.hostKey)) {
      // What a socket says after this process stood still may have lain there all the while.
      if (held.link.isOpen && this.#stalls.stalledSince(held.link.usedAtMs)) void held.link.close();
      this.#inUse.add(id);
      return held.link;
    }
    if (held) void this.#drop(id, held.link);
    const target = openTarget(this.#app, subscription);
    if ('kind' in target) return target;
    const { settings } = this.#app;
    const tellNews = (news: string): void => {
      if (this.#links.get(id)?.link === link) this.#onNews?.({ id, link }, news);
    };
    const link: VpsLink = new VpsLink(target, {
      limits: settings,
      choice: settings.sshLink,
      remembered: rememberedLink(state),
      isKept: () => this.#onNews !== null,
      onNews: (activeState) => tellNews(activeState),
      onBusEnd: () => tellNews(BUS_ENDED),
      chance: Math.random(),
    });
    this.#links.set(id, { link, subscription });
    this.#inUse.add(id);
    return link;
  }

  /** Ends the use of a link: it is kept, or closed. */
  async giveBack(id: string, link: VpsLink): Promise<void> {
    if (this.#links.get(id)?.link !== link) {
      await link.close();
      return;
    }
    this.#inUse.delete(id);
    const wasKept = this.#kept.delete(id);
    if (this.#onNews === null) await link.closeUnkept('not_leading');
    else if (!link.isKeepable) await (link.isOpen ? link.closeUnkept('not_kept') : link.close());
    else if (!wasKept && !this.#makeRoom()) await link.closeUnkept('full');
    else {
      this.#kept.add(id);
      await link.rest();
    }
  }

  /** Ends the links to all VPSs but these. */
  retain(ids: ReadonlySet<string>): void {
    for (const [id, { link }] of this.#links) if (!ids.has(id) && !this.#inUse.has(id)) void this.#drop(id, link);
  }

  /** Connections that stand open, in use or not, by the kind of their link. */
  get open(): Readonly<Record<LinkKind, number>> {
    const open = { fresh: 0, kept: 0, bus: 0 };
    for (const { link } of this.#links.values()) if (link.isOpen) open[link.facts.kind]++;
    return open;
  }

  /** How many connections are kept. */
  get kept(): number {
    return this.#kept.size;
  }

  /**
   * Whether one more may be kept. Whoever was used longest ago makes room, but not a link that each sweep uses: where the
   * fleet is larger than the limit, the same part of it stays linked.
   */
  #makeRoom(): boolean {
    const idleMs = 2 * intervalOf(this.#app.settings.healthCheckCron);
    while (this.#kept.size >= this.#most) {
      const [id] = this.#kept;
      const held = id === undefined ? undefined : this.#links.get(id);
      if (id === undefined || this.#inUse.has(id)) return false;
      if (held?.link.isOpen && performance.now() - held.link.usedAtMs < idleMs) return false;
      this.#kept.delete(id);
      if (held) void held.link.close();
    }
    return true;
  }

  async #drop(id: string, link: VpsLink): Promise<void> {
    this.#links.delete(id);
    this.#kept.delete(id);
    await link.close();
  }
}

export const linksOf = (app: App): Links => partOf(app, 'links', () => new Links(app));
