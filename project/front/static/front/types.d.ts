// What the OpenAPI document says, as client.js and the screens ask for it; ./schema is made from it.
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];
export type Method = "get" | "post" | "put" | "patch" | "delete";
/** Paths below /api/v1/ that know the method. */
export type Path<M extends Method> = {
  [P in keyof paths]: P extends `/api/v1/${infer Rest}`
    ? paths[P] extends { [K in M]: { responses: unknown } }
      ? Rest
      : never
    : never;
}[keyof paths];
type Operation<M extends Method, P extends Path<M>> = paths[`/api/v1/${P}`][M];

type Parameters<O> = (O extends { parameters: { path: infer T } } ? { path: T } : {}) &
  (O extends { parameters: { query?: infer Q } } ? { query?: Texts<Q> } : {});
/** All of it may be text as well: it comes from the page's address. */
type Texts<Q> = { [K in keyof Q]: Q[K] | string };
type Body<O> = O extends { requestBody: { content: infer C } }
  ? { body: C extends { "application/json": infer B } ? B : FormData }
  : {};
export type Options<M extends Method, P extends Path<M>> = Parameters<Operation<M, P>> &
  Body<Operation<M, P>> & {
    /** An answer as it came: nothing is changed if the server has another version by now. */
    version?: object;
    /** The same for each repeat of one wish: it is fulfilled once. */
    key?: string;
  };
type Success = 200 | 201 | 202 | 204;
export type Answer<M extends Method, P extends Path<M>> =
  Operation<M, P> extends { responses: infer R }
    ? {
        [S in keyof R & Success]: R[S] extends { content: { "application/json": infer B } } ? B : undefined;
      }[keyof R & Success]
    : never;
export type Call = <M extends Method, P extends Path<M>>(
  method: M,
  path: P,
  ...options: {} extends Options<M, P> ? [Options<M, P>?] : [Options<M, P>]
) => Promise<Answer<M, P>>;

/** Any problem document of the API. */
export type ProblemBody = Pick<Schemas["Problem"], "status" | "code" | "detail" | "errors"> &
  Partial<Pick<Schemas["NoAccessProblem"], "course"> & Pick<Schemas["AccountBlockedProblem"], "reason">>;

declare global {
  // Of Django's JavaScript catalogue.
  function gettext(text: string): string;
  function pgettext(context: string, text: string): string;
  function ngettext(one: string, many: string, count: number): string;
  function interpolate(text: string, values: Record<string, unknown>, named: true): string;
}
