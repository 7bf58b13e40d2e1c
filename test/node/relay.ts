// The network between a workstation and an API server: a TCP relay that can be slow, go silent and be cut.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Bytes per second each way; undefined for as fast as it goes. */
export interface Pace {
  readonly there?: number;
  readonly back?: number;
}

type Way = keyof Pace;

export class Relay implements AsyncDisposable {
  readonly #server: Server;
  readonly #target: URL;
  readonly #sockets = new Set<Socket>();
  readonly #passed = { there: 0, back: 0 };
  #pace: Pace = {};
  #healed = Promise.resolve<undefined>(undefined);
  #heal = (): void => undefined;

  private constructor(target: URL) {
    this.#target = target;
    // Both ends are told of an end by themselves.
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
  }

  /** @param url of the server */
  static async start(url: string): Promise<Relay> {
    const relay = new Relay(new URL(url));
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    return relay;
  }

  /** What the server is reached by. */
  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** How many bytes went each way since the pace was set. */
  get passed(): Readonly<Required<Pace>> {
    return this.#passed;
  }

  /** From now on, and counted from now on. */
  setPace(pace: Pace): void {
    this.#pace = pace;
    this.#passed.there = 0;
    this.#passed.back = 0;
  }

  /** Breaks all connections; new ones can be made. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Passes on nothing more, and tells nobody. */
  silence(): void {
    const healed = Promise.withResolvers<undefined>();
    this.#healed = healed.promise;
    this.#heal = () => healed.resolve(undefined);
  }

  /** Ends the silence. */
  heal(): void {
    this.#heal();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.heal();
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    const { hostname, port } = this.#target;
    const server = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    void this.#pass(client, server, 'there');
    void this.#pass(server, client, 'back');
  }

  /** To the end of the one, or to the end of either. */
  async #pass(from: Socket, to: Socket, way: Way): Promise<void> {
    this.#sockets.add(from);
    try {
      for await (const chunk of from as AsyncIterable<Buffer>) {
        await this.#healed;
        const pace = this.#pace[way];
        if (pace !== undefined) await sleep((chunk.length / pace) * 1000);
        if (!to.write(chunk)) await once(to, 'drain');
        this.#passed[way] += chunk.length;
      }
      to.end();
    } catch {
      to.destroy();
    } finally {
      this.#sockets.delete(from);
    }
  }
}
