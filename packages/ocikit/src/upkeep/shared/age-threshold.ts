/**
 * The time before which what nobody has used is old: so many milliseconds before now, by whatever clock the store notes
 * its times with. It is asked anew for each removal: set back meanwhile, a clock makes what is used now look older than
 * it is, and set forward, what was used before.
 *
 * @param age in milliseconds
 */
export function cutOffBefore(age: number): () => Date {
  const wall = Date.now();
  const monotonic = performance.now();
  return () => {
    const began = Math.min(wall, Date.now() - (performance.now() - monotonic));
    // A store's times are whole milliseconds, and may be of the one before.
    return new Date(Math.floor(began) - 1 - age);
  };
}
