// The forms in which a server is given to each runtime. No type of Node stands here: a Worker's project has none.

/**
 * The handler for Deno, Bun, Workers, and every framework with `Request` and `Response`.
 *
 * @param runtime the second argument of the runtime's own handlers: the client's address is read from those of Deno and
 *   Bun. A caller of your own may pass `{ remoteAddress, tls }`: see the same names of {@link Exchange}
 */
export type FetchHandler = (request: Request, runtime?: unknown) => Promise<Response>;

/** An `IncomingMessage` of `node:http`, as far as a project without Node's types can know it. */
export interface NodeRequest {
  /** Such as `1.1`. */
  readonly httpVersion: string;
  /** Such as `GET`. */
  readonly method?: string | undefined;
  /** The path and the query. */
  readonly url?: string | undefined;
  /** Names and values by turns, as they came. */
  readonly rawHeaders: string[];
}

/** A `ServerResponse` of `node:http`, as far as a project without Node's types can know it. */
export interface NodeResponse {
  /** Whether the head has been sent. */
  readonly headersSent: boolean;
  /** Whether the connection stays open after the answer. */
  shouldKeepAlive: boolean;
  /** Ends the answer. */
  end(): unknown;
}

/** A `Socket` of `node:net`, as far as a project without Node's types can know it. */
export interface NodeSocket {
  /** The address of the client. */
  readonly remoteAddress?: string | undefined;
  /** Whether the connection has ended. */
  readonly destroyed: boolean;
  /** Ends the connection. */
  destroy(): unknown;
}

/** A listener for the `request` event of a `node:http` or `node:https` server. */
export type NodeListener = (request: NodeRequest, response: NodeResponse) => void;

/** Takes over a connection, whose unanswered bytes can be read from the socket again. */
export type HandOver<S extends NodeSocket = NodeSocket> = (socket: S) => void;

/**
 * Takes a connection to answer its requests, until one of them has to go to `node:http`.
 *
 * @param largestHead maximum bytes of a request's head; a connection with a longer one is handed over
 * @param handOver gives the connection to `node:http`
 */
export type TakeConnection = <S extends NodeSocket>(socket: S, largestHead: number, handOver: HandOver<S>) => void;
