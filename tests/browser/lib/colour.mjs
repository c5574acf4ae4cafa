// Contrast as WCAG 2.2 defines it (success criterion 1.4.3).
const channels = (css) => css.match(/\d+(\.\d+)?/g).slice(0, 3).map(Number);

const luminance = (css) => {
  const [red, green, blue] = channels(css).map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};

/** From 1 to 21, for two `rgb(…)` colours. */
export function contrast(one, other) {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}
