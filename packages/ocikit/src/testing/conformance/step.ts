// An official test as a step of several.
import type { Need, Scene } from '../cases/index.ts';

/** An official test, as a step that builds on the steps before it. */
export interface Step {
  /** The rest of the official test's name. */
  readonly name: string;
  /** The sentence that it proves, after the name of the group. */
  readonly proves: string;
  /** Properties that it needs from the registry. */
  readonly needs?: readonly Need[];
  /** The part of the step that later steps need, if any. */
  readonly prepare?: (scene: Scene, repository: string) => Promise<unknown>;
  /**
   * Runs the step.
   *
   * @returns the number of blobs, manifests or tags that it tested
   */
  run(scene: Scene, repository: string): Promise<number>;
}

/** Makes a step that stands for one official test, and on which no later step builds. */
export function singleStep(
  name: string,
  proves: string,
  check: (scene: Scene, repository: string) => Promise<unknown>,
): Step {
  return {
    name,
    proves,
    run: async (scene, repository) => {
      await check(scene, repository);
      return 1;
    },
  };
}
