"""The figures of the two source pages, typed in from their printed tables, one row a line.

They were typed from the pages, not copied from ``leaderboards/published``, so that the two can be
held against each other. The tier boards were read from the pages' per-tier tables, the overall
figures from their challenge tables.
"""

# modality | method | score | PSNR | SSIM | checkpoint | source
STANDARD = """
stem | swinir        | 0.772 | 33.4 | 0.930 | unavailable | Liang et al., ICCVW 2021
stem | noise2void    | 0.724 | 31.6 | 0.895 | unavailable | Krull et al., CVPR 2019
stem | bm3d          | 0.635 | 28.5 | 0.820 | none needed | Dabov et al., IEEE TIP 2007
stem | wiener-filter | 0.503 | 24.8 | 0.680 | none needed | Analytical baseline
electron_tomography | diffet   | 0.878 | 39.1 | 0.952 | unavailable | Gao et al. 2024
electron_tomography | physet   | 0.848 | 37.7 | 0.940 | unavailable | Chen et al. 2024
electron_tomography | swinet   | 0.821 | 36.4 | 0.929 | unavailable | Wang et al. 2023
electron_tomography | transet  | 0.785 | 34.8 | 0.910 | unavailable | Li et al. 2022
electron_tomography | isonet   | 0.721 | 32.1 | 0.871 | unavailable | Liu et al. 2021
electron_tomography | dncnn-et | 0.653 | 29.3 | 0.829 | unavailable | Buchholz et al. 2019
electron_tomography | cs-et    | 0.575 | 26.4 | 0.769 | none needed | Leary et al. 2013
electron_tomography | sirt-et  | 0.505 | 23.6 | 0.724 | none needed | Gilbert 1972
electron_tomography | wbp-et   | 0.437 | 20.9 | 0.678 | none needed | Radermacher et al. 1987
"""

# modality | method | name | overall | source
OVERALL = """
stem | swinir        | SwinIR + gradient        | 0.683 | Liang et al., ICCVW 2021
stem | bm3d          | BM3D + gradient          | 0.649 | Dabov et al., IEEE TIP 2007
stem | noise2void    | Noise2Void + gradient    | 0.601 | Krull et al., CVPR 2019
stem | wiener-filter | Wiener Filter + gradient | 0.536 | Analytical baseline
electron_tomography | diffet   | DiffET + gradient   | 0.764 | Gao et al., NeurIPS 2024
electron_tomography | swinet   | SwinET + gradient   | 0.763 | Wang et al., Ultramicroscopy 2023
electron_tomography | physet   | PhysET + gradient   | 0.714 | Chen et al., Nat. Commun. 2024
electron_tomography | transet  | TransET + gradient  | 0.704 | Li et al., Nat. Methods 2022
electron_tomography | isonet   | IsoNet + gradient   | 0.660 | Liu et al., Nat. Commun. 2021
electron_tomography | dncnn-et | DnCNN-ET + gradient | 0.610 | Buchholz et al., Nat. Methods 2019
electron_tomography | sirt-et  | SIRT-ET + gradient  | 0.554 | Gilbert, J. Theor. Biol. 1972
electron_tomography | cs-et    | CS-ET + gradient    | 0.455 | Leary et al., Ultramicroscopy 2013
electron_tomography | wbp-et   | WBP-ET + gradient   | 0.417 | Radermacher et al., J. Microsc. 1987
"""

# modality | tier | method | score | PSNR | SSIM, in the order of the tier's own board
TIER_BOARDS = """
stem | public | swinir        | 0.761 | 31.18 | 0.933
stem | public | noise2void    | 0.754 | 29.96 | 0.916
stem | public | bm3d          | 0.673 | 26.19 | 0.837
stem | public | wiener-filter | 0.586 | 22.46 | 0.709
stem | dev    | swinir        | 0.700 | 27.95 | 0.88
stem | dev    | bm3d          | 0.661 | 25.89 | 0.829
stem | dev    | noise2void    | 0.562 | 22.29 | 0.702
stem | dev    | wiener-filter | 0.534 | 20.7  | 0.632
stem | hidden | bm3d          | 0.614 | 24.26 | 0.778
stem | hidden | swinir        | 0.589 | 23.03 | 0.732
stem | hidden | wiener-filter | 0.489 | 19.93 | 0.595
stem | hidden | noise2void    | 0.486 | 19.35 | 0.567
electron_tomography | public | physet   | 0.839 | 36.16 | 0.974
electron_tomography | public | diffet   | 0.834 | 36.57 | 0.976
electron_tomography | public | swinet   | 0.803 | 34.36 | 0.963
electron_tomography | public | transet  | 0.802 | 33.4  | 0.956
electron_tomography | public | isonet   | 0.768 | 31.1  | 0.932
electron_tomography | public | dncnn-et | 0.691 | 27.07 | 0.86
electron_tomography | public | cs-et    | 0.617 | 23.49 | 0.75
electron_tomography | public | sirt-et  | 0.591 | 22.41 | 0.707
electron_tomography | public | wbp-et   | 0.460 | 17.91 | 0.496
electron_tomography | dev    | swinet   | 0.754 | 30.95 | 0.93
electron_tomography | dev    | diffet   | 0.753 | 31.33 | 0.935
electron_tomography | dev    | transet  | 0.715 | 28.69 | 0.895
electron_tomography | dev    | physet   | 0.685 | 26.79 | 0.853
electron_tomography | dev    | isonet   | 0.624 | 24.11 | 0.772
electron_tomography | dev    | dncnn-et | 0.587 | 22.47 | 0.71
electron_tomography | dev    | sirt-et  | 0.562 | 21.91 | 0.686
electron_tomography | dev    | wbp-et   | 0.410 | 17.12 | 0.456
electron_tomography | dev    | cs-et    | 0.409 | 16.9  | 0.445
electron_tomography | hidden | swinet   | 0.732 | 29.47 | 0.908
electron_tomography | hidden | diffet   | 0.706 | 29.0  | 0.9
electron_tomography | hidden | physet   | 0.619 | 24.74 | 0.794
electron_tomography | hidden | transet  | 0.594 | 23.08 | 0.734
electron_tomography | hidden | isonet   | 0.588 | 23.53 | 0.751
electron_tomography | hidden | dncnn-et | 0.552 | 21.34 | 0.661
electron_tomography | hidden | sirt-et  | 0.508 | 20.56 | 0.625
electron_tomography | hidden | wbp-et   | 0.382 | 16.17 | 0.41
electron_tomography | hidden | cs-et    | 0.338 | 14.0  | 0.31
"""


def rows(table: str) -> list[list[str]]:
    """Split one of the tables above into its cells."""
    return [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]
