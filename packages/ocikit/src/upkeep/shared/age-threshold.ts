// The time that separates old content from recent content, safe against clocks that are set meanwhile.
/**
 * Gives the time before which unused content counts as old: `age` milliseconds before this call.
 *
 * Call the returned function again for each removal. If the clock is set back meanwhile, content that is used now gets
 * times that look old; the threshold then moves back too. If the clock is set forward, the threshold stays.
 *
 * @param age in milliseconds
 */
export function ageThreshold(age: number): () => Date {
  const wall = Date.now();
  const monotonic = performance.now();
  return () => {
    const began = Math.min(wall, Date.now() - (performance.now() - monotonic));
    // A store rounds its times down to whole milliseconds.
    return new Date(Math.floor(began) - 1 - age);
  };
}
