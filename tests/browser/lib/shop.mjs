// The shop behind Locum with the configuration and the policy that the repository ships.
import { open } from './browser.mjs';
import { scratch, storefront } from './programs.mjs';
import { Stage } from './stage.mjs';

export const setUp = () => Stage.set({
  name: 'shop', config: 'config/locum.toml', upstream: 'storefront', app: storefront,
  env: {
    LOCUM_LISTENERS__PORTAL__PUBLIC_URL: 'https://localhost:8444',
    LOCUM_APPS__SHOP__PUBLIC_URL: 'https://harbour-and-pine.example',
    LOCUM_APPS__SHOP__BROWSER_COOKIES: 'csrf',
  },
});

/** The shop without Locum: a customer's own page of it, signed in with a password. */
export async function alone(browser) {
  const { dir, remove } = scratch('alone');
  const shop = await storefront(dir);
  const page = await open(browser);
  const origin = `http://${shop.address}`;
  const stop = async () => {
    await page.context().close();
    await shop.program.stop();
    remove();
  };
  await page.goto(`${origin}/sign-in`);
  await page.getByLabel('E-mail').fill('kim@acme.example');
  await page.getByLabel('Password').fill('correct horse');
  await page.locator('main').getByRole('button', { name: 'Sign in' }).click();
  await page.locator('header.top .who').waitFor();
  page.complaints.length = 0;
  return { page, origin, stop };
}
